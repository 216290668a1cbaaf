"""The default executor: workers are actors of a Ray that is started for the run, or of a cluster. Ray is imported nowhere else.

`executor` faces the engine and imports no Ray, so that importing Ray, which takes a second or two, happens in the background;
`conductor` is the one thread that gives Ray orders. In it `cluster` starts, joins and ends Ray, `crew` looks after the workers, `builders`
after shared fixtures, `post` after what they say, `coroner` after how they died, and `spawner` has the processes started; `watch` asks, in
a thread of its own, what nodes there are. `actors` run in Ray's processes.
"""
