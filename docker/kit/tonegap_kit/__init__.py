"""The code that stages share: everything about a plug-in that is not its idea.

It is the other side of `docker/CONTRACT.md`, so it knows nothing of the engine: a stage reads files
and leaves files. Each module is one idea and imports only what it needs, so that a stage that trains
nothing never waits for torch.
"""
