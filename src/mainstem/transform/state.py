"""What a model's table remembers about itself, in its snapshot's summary."""

from mainstem.metadata import INPUTS as INPUTS

MODEL = "mainstem.model"  # the digest of the model's file
DIGEST = "mainstem.digest"  # … with its inputs' snapshots and the version of what computes it
PROOFS = "mainstem.proofs"  # its verdicts, as JSON
PROMISE = "mainstem.promise"  # the digest of what they are about
