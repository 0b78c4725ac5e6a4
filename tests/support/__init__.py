"""What tests share: the socket guard, and the house rules that `tests/test_architecture.py` keeps."""
