"""What starts everything: command line, live call, benchmarks, evaluation."""
