"""One outside system each: adapters translate, they never decide, and they never import each other."""
