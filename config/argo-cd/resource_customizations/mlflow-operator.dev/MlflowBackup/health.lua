local health = { status = "Progressing", message = "Waiting for the operator." }
if obj.metadata.deletionTimestamp ~= nil then
  health.message = "Deleting."
  return health
end
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then return health end
for _, condition in ipairs(obj.status.conditions or {}) do
  if condition.type == "Stalled" and condition.status == "True" then
    health.status = "Degraded"
    health.message = condition.reason .. ": " .. (condition.message or "")
    return health
  end
end
for _, condition in ipairs(obj.status.conditions or {}) do
  if condition.type == "Ready" then
    health.message = condition.message
    if condition.status == "True" then health.status = "Healthy" end
  end
end
return health
