# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs of the REST API over the store: get, list, watch, create, update, patch, delete."""

from __future__ import annotations

import typing as t

from aiohttp import web

from sandbox.kubernetes import protobuf, responses, selectors, service_accounts, subresources
from sandbox.kubernetes.errors import ApiError, Object, bad_request
from sandbox.kubernetes.requests import CALLER, Authorizer, Target, WriteOptions, flag, whole_number
from sandbox.kubernetes.responses import Watch, view_of
from sandbox.kubernetes.streaming import Kubelets
from sandbox.kubernetes.writing import Writer, decode, whole

if t.TYPE_CHECKING:
    from sandbox.faults import Faults
    from sandbox.kubernetes.store import Store

# These answer a deletion with the object; every other kind with a Status.
RETURNS_DELETED = ("pods", "namespaces", "services", "serviceaccounts", "resourcequotas")


MODELS = {"token": "AuthenticationV1TokenRequest", "scale": "V1Scale", "eviction": "V1Eviction"}
"""By subresource, what is sent to it."""


class Rest:
    def __init__(self, store: Store, kubelets: Kubelets, faults: Faults, secret: str) -> None:
        """`secret` signs the tokens of service accounts."""
        self._store = store
        self._kubelets = kubelets
        self.authorizer = Authorizer(store, faults)
        self._secret = secret

    async def answer(self, request: web.Request, target: Target) -> web.StreamResponse:
        if not target.resource.stored:
            return await self._review(request, target)
        # Kubelets and controllers are exempt, as from every fault of the server.
        if not request.headers.get("User-Agent", "").startswith("kubelet"):
            watching = flag(request.query, "watch")
            self.authorizer.admit(request[CALLER], target, request.method, watching=watching)
        if target.subresource:
            return await self._subresource(request, target)
        return await self._verb(request, target)

    async def _verb(self, request: web.Request, target: Target) -> web.StreamResponse:
        match request.method, bool(target.name):
            case ("GET", True):
                return self._get(request, target)
            case ("GET", False):
                return await self._list(request, target)
            case ("POST", False) | ("PUT" | "PATCH", True):
                return await self._write(request, target)
            case ("DELETE", True):
                return await self._delete(request, target)
            case ("DELETE", False) if "deletecollection" in target.resource.verbs:
                return await self._delete_collection(request, target)
        raise method_not_allowed()

    def _get(self, request: web.Request, target: Target) -> web.Response:
        record = self._store.record(target.resource.plural, target.namespace, target.name)
        return self._shown(request, target, record.body)

    async def _list(self, request: web.Request, target: Target) -> web.StreamResponse:
        query, accept = request.query, request.headers.get("Accept", "")
        resource = target.resource
        labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
        selects = selectors.selection(resource, labels, fields)
        if flag(query, "watch"):
            view = view_of(resource, target.namespace, selects, accept, query)
            return await Watch(self._store, view, query).stream(request)
        records = self._store.records(resource.plural, target.namespace)
        if selects is not None:
            records = [record for record in records if selects(record.body)]
        token = query.get("continue", "")
        if token:
            self._check_token(token)
        limit = whole_number(query, "limit")
        exact = selects is None
        shown = responses.page(records, self._store.version, limit, token, exact)
        include = query.get("includeObject") or "Metadata"
        return responses.list_response(resource, shown, accept, include)

    def _check_token(self, token: str) -> None:
        if self._store.is_forgotten(responses.token_version(token)):
            message = (
                "The provided continue parameter is too old to display a consistent list result."
                " You can start a new list without the continue parameter."
            )
            raise ApiError(410, "Expired", message)

    async def _write(self, request: web.Request, target: Target) -> web.Response:
        writer, body = self._writer(request, target), await self._body(request, target)
        match request.method:
            case "POST":
                status, stored = 201, writer.create(body)
            case "PUT":
                status, stored = 200, writer.replace(body)
            case _:
                status, stored = writer.patch(body, request.content_type)
        return self._shown(request, target, stored, status=status, warnings=writer.warnings)

    async def _delete(self, request: web.Request, target: Target) -> web.Response:
        plural, namespace = target.resource.plural, target.namespace
        options = await self._delete_options(request)
        last = self._store.delete(plural, namespace, target.name, **options)
        marked = self._is_stored(target) and not options["dry_run"]
        if marked or plural in RETURNS_DELETED:
            return self._shown(request, target, last)
        return responses.json_response(responses.success(target.resource, last))

    async def _delete_collection(self, request: web.Request, target: Target) -> web.Response:
        query, resource = request.query, target.resource
        labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
        selects = selectors.selection(resource, labels, fields)
        options = await self._delete_options(request)
        deleted = []
        for record in self._store.records(resource.plural, target.namespace):
            if selects is None or selects(record.body):
                metadata = record.body["metadata"]
                where = metadata.get("namespace", "")
                deleted.append(record)
                self._store.delete(resource.plural, where, metadata["name"], **options)
        shown = responses.Page(deleted, self._store.version)
        return responses.list_response(resource, shown, "", "Metadata")

    async def _delete_options(self, request: web.Request) -> dict[str, t.Any]:
        """DeleteOptions of the body, or what the query says in their place."""
        data = await request.read()
        body: Object = {}
        if data.strip():
            body = read(data, request.content_type, "V1DeleteOptions") or {}
        query = request.query
        grace = body.get("gracePeriodSeconds")
        if grace is None and query.get("gracePeriodSeconds"):
            grace = whole_number(query, "gracePeriodSeconds")
        wanted = body.get("propagationPolicy") or query.get("propagationPolicy") or "Background"
        if wanted != "Background":
            raise bad_request(f"the sandbox deletes in the background only, not {wanted}")
        conditions = body.get("preconditions") or {}
        return {
            "grace_seconds": grace,
            "uid": conditions.get("uid") or "",
            "version": conditions.get("resourceVersion") or "",
            "dry_run": body.get("dryRun") == ["All"] or query.get("dryRun") == "All",
        }

    async def _subresource(self, request: web.Request, target: Target) -> web.StreamResponse:
        known = {item.name: item for item in target.resource.subresources}
        if target.subresource not in known:
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        match target.subresource:
            case "status" | "finalize" if request.method in ("GET", "PUT", "PATCH"):
                return await self._verb(request, target)
            case "status" | "finalize":
                raise method_not_allowed()
            case "scale":
                return await self._scale(request, target)
            case "token":
                return await self._token(request, target)
        name, _, port = target.name.partition(":")
        pod = self._store.get("pods", target.namespace, name)
        match target.subresource:
            case "log":
                return await self._kubelets.logs(request, pod)
            case "exec":
                return await self._kubelets.exec(request, pod)
            case "portforward":
                return await self._kubelets.port_forward(request, pod)
            case "proxy":
                return await self._kubelets.proxy(request, pod, port, target.rest)
        if request.method != "POST":
            raise method_not_allowed()
        body = await self._body(request, target)
        subresources.evict(self._store, pod, body, dry_run=self._options(request).dry_run)
        done = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        return responses.json_response(done | {"code": 201}, 201)

    async def _scale(self, request: web.Request, target: Target) -> web.Response:
        obj = self._store.get(target.resource.plural, target.namespace, target.name)
        if request.method == "GET":
            return responses.json_response(subresources.scale_of(obj))
        if request.method not in ("PUT", "PATCH"):
            raise method_not_allowed()
        form = request.content_type if request.method == "PATCH" else None
        writer = self._writer(request, target)
        body = await self._body(request, target)
        return responses.json_response(subresources.change_scale(writer, obj, body, form))

    async def _review(self, request: web.Request, target: Target) -> web.Response:
        if request.method != "POST" or target.name:
            raise method_not_allowed()
        body = whole(await self._body(request, target))
        resource, user = target.resource, request[CALLER]
        answered = self.authorizer.review(resource.kind, resource.api_version, body, user)
        return responses.json_response(answered, 201)

    async def _token(self, request: web.Request, target: Target) -> web.Response:
        if request.method != "POST":
            raise method_not_allowed()
        self._store.record("serviceaccounts", target.namespace, target.name)
        body = whole(await self._body(request, target))
        answered = service_accounts.answer(self._secret, target.namespace, target.name, body)
        return responses.json_response(answered, 201)

    def _writer(self, request: web.Request, target: Target) -> Writer:
        return Writer(self._store, target, self._options(request))

    @staticmethod
    def _options(request: web.Request) -> WriteOptions:
        return WriteOptions.of(request.query, request.headers.get("User-Agent", ""))

    @staticmethod
    async def _body(request: web.Request, target: Target) -> t.Any:
        model = MODELS.get(target.subresource, target.resource.model)
        return read(await request.read(), request.content_type, model)

    def _is_stored(self, target: Target) -> bool:
        """Whether the object outlived its deletion: marked, waiting for a kubelet or a finalizer."""
        try:
            self._store.record(target.resource.plural, target.namespace, target.name)
        except ApiError:
            return False
        return True

    @staticmethod
    def _shown(
        request: web.Request, target: Target, obj: Object, *, status: int = 200,
        warnings: t.Iterable[str] = (),
    ) -> web.Response:  # fmt: skip
        accept = request.headers.get("Accept", "")
        include = request.query.get("includeObject") or "Metadata"
        return responses.object_response(
            target.resource, obj, accept, include, status=status, warnings=warnings
        )


def read(data: bytes, content_type: str, model: str) -> t.Any:
    if content_type == protobuf.CONTENT_TYPE:
        return protobuf.decode(data, model)
    return decode(data, content_type)


def method_not_allowed() -> ApiError:
    words = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", words)
