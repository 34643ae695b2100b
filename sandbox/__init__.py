"""Local stand-ins for the remote APIs: for the demo, for development and for the tests.

They behave as the dossiers say the real APIs do, and share no code with the clients they test.
"""
