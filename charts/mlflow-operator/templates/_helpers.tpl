{{- define "mlflow-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* At most 50 characters, so that objects can have a suffix. */}}
{{- define "mlflow-operator.fullname" -}}
{{- $name := include "mlflow-operator.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "mlflow-operator.labels" -}}
{{- include "mlflow-operator.mergedLabels" (list . .Values.commonLabels) }}
{{- end }}

{{- define "mlflow-operator.podLabels" -}}
{{- include "mlflow-operator.mergedLabels" (list . (merge (dict) .Values.podLabels .Values.commonLabels)) }}
mlflow-operator.dev/operator: "true"
{{- end }}

{{- /* Never app.kubernetes.io/managed-by: mlflow-operator, with which the operator labels its own objects. */}}
{{- define "mlflow-operator.mergedLabels" -}}
{{- $root := first . }}
{{- $own := include "mlflow-operator.selector" $root | fromYaml }}
{{- $_ := set $own "app.kubernetes.io/version" $root.Chart.AppVersion }}
{{- $_ := set $own "app.kubernetes.io/managed-by" $root.Release.Service }}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") }}
{{- range $name, $_ := last . }}
{{- if hasKey $own $name }}
{{- fail (printf "commonLabels or podLabels: the label %s is reserved for the chart; choose another" $name) }}
{{- end }}
{{- end }}
{{- merge $own (last .) | toYaml }}
{{- end }}

{{- define "mlflow-operator.selector" -}}
app.kubernetes.io/name: {{ include "mlflow-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "mlflow-operator.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "mlflow-operator.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.create is false: name the one to use in serviceAccount.name" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "mlflow-operator.image" -}}
{{- with .Values.image }}
{{- $repository := printf "%s/%s" (include "mlflow-operator.registry" (list $ .registry) | trimSuffix "/") .repository }}
{{- if .digest }}
{{- printf "%s@%s" $repository .digest }}
{{- else }}
{{- printf "%s:%s" $repository (default $.Chart.AppVersion .tag) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* `key=value,key=value`, sorted. */}}
{{- define "mlflow-operator.pairs" -}}
{{- $pairs := list }}
{{- range $key, $value := . }}
{{- $pairs = append $pairs (printf "%s=%s" $key $value) }}
{{- end }}
{{- join "," $pairs }}
{{- end }}

{{- define "mlflow-operator.proxyImage" -}}
{{- with .Values.proxyImage }}
{{- $repository := printf "%s/%s" (include "mlflow-operator.registry" (list $ .registry) | trimSuffix "/") .repository }}
{{- if .digest }}
{{- printf "%s@%s" $repository .digest }}
{{- else }}
{{- printf "%s:%s" $repository .tag }}
{{- end }}
{{- end }}
{{- end }}

{{- define "mlflow-operator.mlflowRepository" -}}
{{- with .Values.mlflowImage }}
{{- printf "%s/%s" (include "mlflow-operator.registry" (list $ .registry) | trimSuffix "/") .repository }}
{{- end }}
{{- end }}

{{- /* The registry of an image: that of this chart, of the chart that has it as a dependency, or the image's own. */}}
{{- define "mlflow-operator.registry" -}}
{{- $root := first . }}
{{- $global := default dict $root.Values.global }}
{{- coalesce $root.Values.imageRegistry $global.imageRegistry (last .) }}
{{- end }}

{{- /* Secrets to pull the operator's image, as objects with a name. */}}
{{- define "mlflow-operator.pullSecrets" -}}
{{- $global := default dict .Values.global }}
{{- range concat .Values.imagePullSecrets (default list $global.imagePullSecrets) }}
- name: {{ if kindIs "map" . }}{{ .name }}{{ else }}{{ . }}{{ end }}
{{- end }}
{{- end }}
