"""The default executor: workers are actors of a Ray that is started for the run, or of a cluster. Ray is imported nowhere else.

`executor` faces the engine and imports no Ray, so that importing Ray, which takes a second or two, happens in the background;
`conductor` is the one thread that gives Ray orders, and `desk` is how the parts below see it. In that thread `cluster` starts, joins and
watches Ray, `workers` has the processes reserved, started, heard of and ended, and `code` ships the driver's code where it is not seen.
`gang` runs in the processes of trials. `private` has all private names of Ray.
"""
