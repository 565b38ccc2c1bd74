"""The bus between the processes: one port, an embedded log and Kafka behind it, the worker loop, dead letters."""
