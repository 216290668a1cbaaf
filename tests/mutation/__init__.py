"""Mutation testing of one package: ``python -m tests.mutation engine``. The mutants are mutmut's; here they are drawn and run."""
