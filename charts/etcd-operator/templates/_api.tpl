{{/* Generated from operator/api by operator/api/generate.py; do not edit. */}}
{{- define "api.group" -}}etcdpp.dev{{- end }}
{{- define "api.version" -}}etcdpp.dev/v1alpha1{{- end }}
