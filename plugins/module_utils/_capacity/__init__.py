# GNU General Public License v3.0+ (see LICENSE)
"""What a host really has, measured on the host. Every function takes ``root``, so that a tree of files can be measured too."""
