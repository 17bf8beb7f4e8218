"""Tables, published numbers and the report."""
