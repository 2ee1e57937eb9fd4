"""The Hugging Face Hub, spoken to in one way: names, listings, whole files and parts of them.

huggingface_hub is imported when the Hub is first asked; nothing global of it is changed.
"""

from auditor.hub_client.hub import Hub

__all__ = ["Hub"]
