"""This machine: devices, processes, its failures, its terminal."""
