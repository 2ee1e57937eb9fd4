"""The revisions; a file is never changed once it was released."""
