"""Permissions of AWS: policies read into what a user, role or group may do."""
