"""The default executor: workers are actors of a Ray that is started for the run, or of a cluster. Ray is imported nowhere else.

`executor` faces the engine and imports no Ray, so that importing Ray, which takes a second or two, happens in the
background; `conductor` is the one thread that gives Ray orders; `watch` asks it, in another, what nodes there are; `cluster` starts,
joins and ends it; `actors` run in Ray's processes.
"""
