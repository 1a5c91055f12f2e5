"""The environment: typed actions in, observations out, every budget held in code, hidden splits hidden by absence.

Read in this order: `task_folder` (a task on disk), `actions` and `observations` (what is said), `budget` and `journal`
(what is kept), `session` (one run: where everything is decided), `sandbox` with its launcher and runner (an agent's
scripts), `training_worker` and `training` (fine-tuning and answering), `scorer` and `scoring` (the gold's process),
`contamination` and `slots` (hidden items in training data), `checkpoints` (weights), `env` (gymnasium),
`language_model` (an agent's own model within its budget), `weakness` (what tests of attackers switch off).

What it cannot do: bubblewrap sets no filter on system calls, so a hole in the kernel is a way out; an agent that knows
a generator's seed can make the hidden items itself, so seeds of serious runs are large and kept with the gold; the
chain of the journal has no secret, so who may write every file of a run may forge it whole.
"""
