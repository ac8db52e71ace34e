# GNU General Public License v3.0+ (see LICENSE)
"""The host's plan: one memory budget split over the services that share a host. Pure functions."""
