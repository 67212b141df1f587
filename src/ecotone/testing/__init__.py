"""The shipped test kit: conformance suites for back-ends, and asyncio in virtual time.

Called by our own tests and by whoever writes a back-end of their own; nothing else in Ecotone imports it.
"""
