"""The stages of an instant avatar; `pipeline.build_instant` puts them together."""
