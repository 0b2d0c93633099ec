"""HTTP: routes, schemas, authentication, errors as status codes."""
