{{- define "cluster.name" -}}
{{- $name := default .Release.Name .Values.nameOverride -}}
{{- if gt (len $name) 45 -}}
{{- fail (printf "the name %q has more than 45 characters; set nameOverride" $name) -}}
{{- end -}}
{{- $name -}}
{{- end }}

{{- define "cluster.labels" -}}
app.kubernetes.io/name: etcd
app.kubernetes.io/instance: {{ include "cluster.name" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "cluster.testImage" -}}
{{- $image := default dict .Values.cluster.image -}}
{{- $repository := default "etcd" $image.repository -}}
{{- $tag := default (printf "v%s" (default .Chart.AppVersion .Values.cluster.version)) $image.tag -}}
{{- if .Values.test.image -}}
{{ .Values.test.image }}
{{- else if $image.digest -}}
{{ $repository }}@{{ $image.digest }}
{{- else -}}
{{ $repository }}:{{ $tag }}
{{- end -}}
{{- end }}

{{/* The replicas to write. Whoever scaled the live cluster keeps what he asked for until the value
     itself changes; the annotation remembers the value that was last written. */}}
{{- define "cluster.replicas" -}}
{{- $wanted := .Values.cluster.replicas -}}
{{- $live := lookup (include "api.version" .) "EtcdCluster" .Release.Namespace (include "cluster.name" .) -}}
{{- if and $live (hasKey $live "spec") -}}
{{- $written := dig "metadata" "annotations" (printf "%s/chart-replicas" (include "api.group" .)) "" $live -}}
{{- if eq $written (toString $wanted) -}}
{{- $wanted = $live.spec.replicas -}}
{{- end -}}
{{- end -}}
{{- int $wanted -}}
{{- end }}
