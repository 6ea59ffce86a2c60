"""A network that knows natural pictures, to compare pictures by what they show."""
