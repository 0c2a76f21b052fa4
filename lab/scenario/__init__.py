# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenarios: what happens in a lab, step by step, and what must hold meanwhile.

=============== ===============================================================================
model           scenarios as TOML, read and checked
step, steps/    what a step is; all kinds of them
reading         from a table to a step
values          what stands on the right of `=` in a step
engine          the course of a scenario: no I/O
stage           what steps work on: the lab
runner          all of it at work
identities      certificates that must be refused
needs           what a back end must know
keep            the directory that a failed run leaves
report          outcomes as JSON and JUnit
=============== ===============================================================================
"""
