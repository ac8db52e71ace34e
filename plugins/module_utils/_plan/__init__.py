# GNU General Public License v3.0+ (see LICENSE)
"""The host's plan: one memory budget split over the services that share a host. Pure functions.

``budget`` makes the plan from ``capacity`` (what the host has) and one file per service, which says what the service costs and
which values follow. Adding a service is adding a file and naming it in ``budget.SERVICES``.
"""
