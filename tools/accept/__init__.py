"""`invoke accept`: deploys a temporary pipeline, checks what it does, and removes it.

The checks are functions of a :class:`tools.accept.pipeline.Pipeline`. The tests in ``tests/pipeline`` run them on the
local AWS, and ``invoke accept`` runs them on the user's account. Each raises :class:`tools.accept.pipeline.CheckError`.
"""
