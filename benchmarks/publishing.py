"""The publishing process: warms up, publishes, waits until all is settled, prints the times.

python -m benchmarks.publishing PEER MODE COUNT
"""

import json
import sys
import time

import django

# Events before the clock starts: they show that the workers are there, and fill all caches.
WARM_UP = 200


def main(name: str, mode_name: str, count: int) -> None:
    """Publish by that peer and print the first id, and when it began and ended (Unix seconds)."""
    django.setup()
    from benchmarks.counting import wait_until_settled
    from benchmarks.peers import peer_named
    from benchmarks.peers.peer import Mode
    from salesflow.accounts.context import tenant_context
    from salesflow.accounts.ids import uuid7
    from salesflow.accounts.models import Tenant

    peer, mode, since = peer_named(name), Mode(mode_name), uuid7()
    with tenant_context(Tenant.objects.get(slug="bench")):
        peer.publish(mode, WARM_UP)
        wait_until_settled(peer, since, WARM_UP)
        started = time.time()
        peer.publish(mode, count)
        published = time.time()
        wait_until_settled(peer, since, WARM_UP + count)
    times = {"since": str(since), "started": started, "published": published}
    sys.stdout.write(json.dumps(times) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
