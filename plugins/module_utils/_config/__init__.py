# GNU General Public License v3.0+ (see LICENSE)
"""Configuration as a transaction: what module config_tree does, from the wanted set to the committed one."""
