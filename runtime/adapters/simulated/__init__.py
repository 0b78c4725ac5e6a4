"""The simulated exchange: markets made of folders or fixtures, and an account that trades on them. Paper and tests."""
