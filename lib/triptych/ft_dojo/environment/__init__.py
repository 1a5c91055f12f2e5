"""The environment: typed actions in, observations out, every budget held in code, hidden splits hidden by absence.

Read in this order: `task_folder` (a task on disk), `actions` and `observations` (what is said), `budget` and `journal`
(what is kept), `session` (one run: where everything is decided), `sandbox` with its launcher, runner and guard (an
agent's scripts), `training_worker` and `training` (fine-tuning and answering), `scorer` and `scoring` (the gold's
process), `contamination` and `slots` (hidden items in training data), `checkpoints` (weights), `conduct` (flags), `env`
(gymnasium), `language_model` (an agent's own model within its budget), `weakness` (what tests of attackers switch off).

What it cannot do. A filter kills scripts at the system calls that no data script makes, but those it lets through reach
the host's kernel, and a hole in that is a way out. What a script reaches for in vain is noted inside its own process,
so native code can leave the note's sight, though not the walls. An agent that knows a generator's seed can make the
hidden items itself, so seeds of serious runs are large and kept with the gold. The chain of the journal has no secret,
so who may write every file of a run may forge it whole, and the measured times beside it are not chained at all.
"""
