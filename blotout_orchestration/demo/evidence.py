"""Which ids belong to one person, and which of them the data can show to belong together.

Belongs here: the true owner of every id, and the components of the facts that were sent (log-ins, personas,
id mappings). A device that nobody ever identified on stays alone: no stitching can know better. Ids of shared
devices have no single owner and are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from blotout_orchestration.demo.offline import Row
from blotout_orchestration.demo.people import Person
from blotout_orchestration.demo.requests import Request, carries_user_id
from blotout_orchestration.demo.story import email_hash

Node = tuple[str, str]
"""(type, id) as in the id graph; providers are left out, no id here has two."""


class Components:
    """Union-find over nodes; the representative is the smallest node."""

    def __init__(self) -> None:
        self.parents: dict[Node, Node] = {}

    def find(self, node: Node) -> Node:
        """The component's representative."""
        parent = self.parents.setdefault(node, node)
        while parent != node:
            self.parents[node] = self.parents[parent]
            node, parent = parent, self.parents[parent]
        return node

    def join(self, first: Node, second: Node) -> None:
        """Say that two nodes belong together."""
        low, high = sorted((self.find(first), self.find(second)))
        self.parents[high] = low


def email_nodes(email: str) -> list[Node]:
    """A plain address also stands for its hash."""
    return [("email", email), ("email_sha256", email_hash(email))]


def _facts_of_event(request: Request) -> Iterable[list[Node]]:
    """Groups of nodes that one request says belong to its sender."""
    for event in request.events:
        data = event.data
        if event.kind in ("pii", "phi"):
            continue
        if event.name == "map_id":
            is_hash = data["map_provider"] == "email_sha256"
            yield [("email_sha256" if is_hash else "map_id", str(data["map_id"]))]
        elif event.name == "persona":
            nodes = [("map_id", str(data["persona_id"])), *email_nodes(str(data["persona_email"]))]
            if data["persona_number"]:
                nodes.append(("phone", str(data["persona_number"])))
            yield nodes
        elif event.action == "user":
            yield email_nodes(str(data["email"]))
        elif event.action == "data":
            yield [("map_id", str(data["shopify_id"]))]


class Evidence:
    """Collects the facts as they are sent, and answers who owns an id."""

    def __init__(self, people: list[Person]) -> None:
        self.components = Components()
        self.people = {person.person_id: person for person in people}
        self.owners: dict[Node, str] = {}

    def _own(self, nodes: Iterable[Node], person_id: str) -> None:
        for node in nodes:
            self.components.find(node)
            self.owners[node] = person_id

    def add_request(self, request: Request) -> None:
        """Take in what a request shows, once it has arrived."""
        visit = request.visit
        if visit.person is None:
            return
        is_shared = len(visit.device.owners) > 1
        sender: Node | None = None
        if carries_user_id(request) and not is_shared:
            sender = ("user_id", visit.user_id)
            self._own([sender], visit.person.person_id)
        for nodes in _facts_of_event(request):
            self._own(nodes, visit.person.person_id)
            linked = [*nodes, sender] if sender else nodes
            for node in linked[1:]:
                self.components.join(linked[0], node)

    def add_mappings(self, rows: Iterable[Row], owner_of: dict[str, str]) -> None:
        """Take in id mappings; `owner_of` maps the sources' own ids to persons."""
        for row in rows:
            person_id = owner_of[str(row["id_a"])]
            first: Node = ("map_id", str(row["id_a"]))
            second = str(row["id_b"])
            nodes = email_nodes(second) if row["id_b_type"] == "email" else [(str(row["id_b_type"]), second)]
            self._own([first, *nodes], person_id)
            for node in nodes:
                self.components.join(first, node)

    def by_person(self) -> dict[str, dict[Node, list[Node]]]:
        """Person -> representative -> nodes of that component, all sorted."""
        grouped: dict[str, dict[Node, list[Node]]] = defaultdict(lambda: defaultdict(list))
        for node, person_id in sorted(self.owners.items()):
            grouped[person_id][self.components.find(node)].append(node)
        return grouped
