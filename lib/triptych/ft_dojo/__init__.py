"""FT-Dojo (arXiv 2603.01712): fine-tuning tasks, a tiny base model, trainers, exact scores.

Read in this order: `tasks` (what is asked and what a score means), `vocabulary` and `pretraining` (what the tiny base
knows before), `tiny` (the base itself), `trainer` (one interface to fine-tune), `evaluate` (accuracy with an exact
interval), `language_models` and `unsloth_worker` (the same with SmolLM2-135M or any Hugging Face model).

Importing this package costs nothing; torch, transformers and unsloth load where they are used.
"""
