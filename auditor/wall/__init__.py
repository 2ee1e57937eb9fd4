"""Reading and measuring happen behind a wall: one audit, one process.

The parent has ledger, tokens, network and sinks, and it judges. The child gets a `Job`: a value
in. It opens and measures what the job names and gives back `Examined`: a value out. Files of
this machine come to it as open, read-only descriptors; bytes that lie elsewhere, and what was
measured before, it asks the parent for, one message at a time.

`jobs`      the values, and `Desk`: what a job may ask its owner
`working`   a job done, in whichever process that is
`frames`    messages on a socket: JSON and plain bytes, never a pickle
`messages`  what a child may say, checked before anything is made of it
`serving`   the parent's side: files, memory, what comes back, one request at a time
`process`   the child started, watched, ended
`room`      the memory that several at once share
`stopping`  their end when the program is told to end
`child`     what runs in it
`limits`    what it is started with, and what it may take and do
"""
