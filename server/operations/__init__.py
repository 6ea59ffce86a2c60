"""What an operator needs of a running server: metrics, health, and how it stops."""
