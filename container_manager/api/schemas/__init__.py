"""Bodies, queries and answers as pydantic models, one module for each area."""
