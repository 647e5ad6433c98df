"""The schema as JSON schema of the values of the chart etcd-cluster, whose `cluster` is an
EtcdClusterSpec and whose `backups` are EtcdBackupScheduleSpecs without the cluster."""

import json

from crd import SchemaWriter

STRING_MAP = {"type": "object", "additionalProperties": {"type": "string"}}


def plain(schema):
    """What JSON schema knows: no CEL, no defaults (the API server fills them in), nothing unknown."""
    if not isinstance(schema, dict):
        return schema
    drop = {"x-kubernetes-validations", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
            "x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields", "default", "format"}
    result = {key: plain(value) for key, value in schema.items() if key not in drop}
    for key in ("properties",):
        if key in schema:
            result[key] = {name: plain(value) for name, value in schema[key].items()}
            result["additionalProperties"] = False
    if "anyOf" in schema:  # a quantity: its pattern is of the string alone
        result = {"description": schema.get("description", ""), "anyOf": [
            {"type": "integer", "minimum": 0}, {"type": "string", "pattern": schema["pattern"]}]}
    return result


def cluster_values(api):
    writer = SchemaWriter(api)
    schedule = plain(writer.of_type("EtcdBackupScheduleSpec"))
    del schedule["properties"]["clusterRef"]
    schedule["required"] = ["name", *(name for name in schedule["required"] if name != "clusterRef")]
    schedule["properties"] = {"name": {
        "description": "Name of the schedule, after the cluster's name and a dash.",
        "type": "string", "minLength": 1, "maxLength": 20, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
        **schedule["properties"]}
    monitor = {"type": "object", "additionalProperties": False, "properties": {
        "enabled": {"type": "boolean"}, "labels": STRING_MAP, "interval": {"type": "string"}}}
    rule = json.loads(json.dumps(monitor))
    del rule["properties"]["interval"]
    rule["properties"]["runbooks"] = {"type": "string", "description": "URL that runbook links begin with."}
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart etcd-cluster",
        "type": "object", "additionalProperties": False,
        "properties": {
            "global": {"type": "object"},
            "nameOverride": {"type": "string", "maxLength": 45,
                             "description": "Name of the EtcdCluster; default: the release's name."},
            "labels": STRING_MAP, "annotations": STRING_MAP,
            "cluster": plain(writer.of_type("EtcdClusterSpec")),
            "backups": {"type": "array", "items": schedule, "maxItems": 16},
            "monitoring": {"type": "object", "additionalProperties": False, "properties": {
                "podMonitor": monitor, "prometheusRule": rule}},
            "test": {"type": "object", "additionalProperties": False, "properties": {
                "image": {"type": "string"}, "imagePullPolicy": {"type": "string"}}},
        },
    }
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
