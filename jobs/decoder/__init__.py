"""The process that decodes one audio file: `python -m jobs.decoder REQUEST`, started by jobs/decoding.py.

A broken file takes this process down and nothing else; so libraries that read audio are imported here alone.
"""
