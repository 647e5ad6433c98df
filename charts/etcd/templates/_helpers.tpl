{{- define "etcd.name" -}}
{{- $name := default .Release.Name .Values.nameOverride -}}
{{- if gt (len $name) 45 -}}
{{- fail (printf "the name %q has more than 45 characters; set nameOverride" $name) -}}
{{- end -}}
{{- $name -}}
{{- end }}

{{- define "etcd.selector" -}}
app.kubernetes.io/name: etcd
app.kubernetes.io/instance: {{ include "etcd.name" . }}
{{- end }}

{{- define "etcd.labels" -}}
{{ include "etcd.selector" . }}
app.kubernetes.io/component: member
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Without versions: an upgrade of the chart alone restarts no member. */}}
{{- define "etcd.podLabels" -}}
{{ include "etcd.selector" . }}
app.kubernetes.io/component: member
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- with .Values.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "etcd.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default (printf "v%s" $.Chart.AppVersion) .tag }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The one place where the scheme of all URLs comes from. */}}
{{- define "etcd.scheme" -}}
{{ ternary "https" "http" .Values.tls.enabled }}
{{- end }}

{{/* The address that all listeners have. [::] would not do everywhere: a node may have no IPv6. */}}
{{- define "etcd.listenHost" -}}
{{- $family := .Values.ipFamily -}}
{{- if not $family -}}
{{- $api := lookup "v1" "Service" "default" "kubernetes" -}}
{{- $family = ternary "IPv6" "IPv4" (contains ":" (dig "spec" "clusterIP" "" $api)) -}}
{{- end -}}
{{ ternary "[::]" "0.0.0.0" (eq $family "IPv6") }}
{{- end }}

{{/* Host name of member i: dict "root" $ "i" 0 */}}
{{- define "etcd.host" -}}
{{- $name := include "etcd.name" .root -}}
{{ $name }}-{{ .i }}.{{ $name }}-peer.{{ .root.Release.Namespace }}.svc.{{ .root.Values.clusterDomain }}
{{- end }}

{{- define "etcd.initialCluster" -}}
{{- $members := list -}}
{{- range $i := until (int .Values.replicaCount) -}}
{{- $host := include "etcd.host" (dict "root" $ "i" $i) -}}
{{- $members = append $members (printf "%s-%d=%s://%s:2380" (include "etcd.name" $) $i (include "etcd.scheme" $) $host) -}}
{{- end -}}
{{ join "," $members }}
{{- end }}

{{- define "etcd.endpoints" -}}
{{- $urls := list -}}
{{- range $i := until (int .Values.replicaCount) -}}
{{- $urls = append $urls (printf "%s://%s:2379" (include "etcd.scheme" $) (include "etcd.host" (dict "root" $ "i" $i))) -}}
{{- end -}}
{{ join "," $urls }}
{{- end }}

{{- define "etcd.podSecurity" -}}
runAsNonRoot: true
{{- if not .Values.global.openshift }}
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
{{- end }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "etcd.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* What cannot be done is said before anything is changed. */}}
{{- define "etcd.checks" -}}
{{- if ne .Values.bootstrap.mode "static" -}}
{{- fail (printf "bootstrap.mode=%s is not supported yet: the server has no discovery; write static" .Values.bootstrap.mode) -}}
{{- end -}}
{{- if .Values.tls.enabled -}}
{{- fail "tls.enabled=true is not supported yet: the server has no TLS; write false" -}}
{{- end -}}
{{- $live := lookup "apps/v1" "StatefulSet" .Release.Namespace (include "etcd.name" .) -}}
{{- if $live -}}
{{- $now := int $live.spec.replicas -}}
{{- $wanted := int .Values.replicaCount -}}
{{- if and (ne $now $wanted) (ne (int .Values.confirmReplicaCount) $wanted) -}}
{{- fail (printf "this cluster has %d members and replicaCount is %d: a StatefulSet alone cannot change etcd's membership. Follow \"Changing the number of members\" in the chart's README.md, or use the chart etcd-cluster, whose operator does it" $now $wanted) -}}
{{- end -}}
{{- end -}}
{{- end }}
