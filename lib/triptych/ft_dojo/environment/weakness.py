"""Protections that a test may switch off, one by one.

A suite of attackers proves nothing unless it is known to notice a hole. So each protection below can be taken out of a
session, for tests only: the journal's first row names what was taken out, and every result carries it.
"""

from __future__ import annotations

from enum import StrEnum


class Weakness(StrEnum):
    """One protection, switched off."""

    NO_SAMPLE_CAP = "no_sample_cap"  # a data set of any size trains
    NO_WALL_KILL = "no_wall_kill"  # an action may outlive the wall clock's budget
    NO_MEMORY_KILL = "no_memory_kill"  # a script may take any memory
    NO_EVALUATION_METER = "no_evaluation_meter"  # val is answered without end
    UNROUNDED_VAL = "unrounded_val"  # val answers to the last digit
    NO_CONTAMINATION_CHECK = "no_contamination_check"  # hidden items may be trained on
    HIDDEN_VISIBLE = "hidden_visible"  # the hidden folder is mounted into the sandbox
    NETWORK = "network"  # scripts share the host's network
    TEST_RESCORED = "test_rescored"  # the test split answers more than once
    NO_CHECKPOINT_CHECK = "no_checkpoint_check"  # weights are loaded without comparing their digest and tensors
    NO_OUTPUT_CAP = "no_output_cap"  # a script may print without end
    NO_CALL_FILTER = "no_call_filter"  # scripts may make any system call
    NO_WITNESS = "no_witness"  # nobody notes what scripts reach for in vain
