{{- define "operator.name" -}}
{{ default .Release.Name .Values.nameOverride | trunc 53 | trimSuffix "-" }}
{{- end }}

{{- define "operator.selector" -}}
app.kubernetes.io/name: etcd-operator
app.kubernetes.io/instance: {{ include "operator.name" . }}
{{- end }}

{{- define "operator.labels" -}}
{{ include "operator.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "operator.serviceAccount" -}}
{{ default (include "operator.name" .) .Values.serviceAccount.name }}
{{- end }}

{{/* dict "image" .. "version" ..: a digest wins over a tag. */}}
{{- define "operator.reference" -}}
{{- with .image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default (printf "v%s" $.version) .tag }}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "operator.image" -}}
{{ include "operator.reference" (dict "image" .Values.image "version" .Chart.AppVersion) }}
{{- end }}

{{- define "operator.podSecurity" -}}
runAsNonRoot: true
{{- if not .Values.global.openshift }}
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
{{- end }}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "operator.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
