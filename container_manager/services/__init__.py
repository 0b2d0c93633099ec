"""The use cases. Rules live here, HTTP does not."""
