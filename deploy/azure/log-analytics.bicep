// A table for the lines of `apim-probe serve --log`, the rule by which the Azure Monitor Agent collects them, and alerts.
//
//   az deployment group create --resource-group GROUP --template-file log-analytics.bicep \
//     --parameters workspaceName=WORKSPACE actionGroupId=/subscriptions/…/actionGroups/NAME
//
// Then associate the data collection rule with each VM that has an agent (az monitor data-collection rule association create).

@description('The Log Analytics workspace, in this resource group.')
param workspaceName string

@description('Where everything is created: the region of the workspace.')
param location string = resourceGroup().location

@description('The action group that alerts notify; none if empty.')
param actionGroupId string = ''

@description('Where agents write their lines: the path of --log, with * in place of {day}.')
param filePattern string = '/var/log/apim-probe/*.jsonl'

var tableName = 'ApimProbe_CL'
var streamName = 'Custom-ApimProbe'
var actions = empty(actionGroupId) ? [] : [actionGroupId]

// The keys of a line, except TimeGenerated.
var columns = [
  { name: 'Event', type: 'string' }
  { name: 'Version', type: 'string' }
  { name: 'Cloud', type: 'string' }
  { name: 'Region', type: 'string' }
  { name: 'Vnet', type: 'string' }
  { name: 'Host', type: 'string' }
  { name: 'Round', type: 'long' }
  { name: 'Verdict', type: 'string' }
  { name: 'Total', type: 'long' }
  { name: 'Counted', type: 'long' }
  { name: 'Reachable', type: 'long' }
  { name: 'Degraded', type: 'long' }
  { name: 'Blocked', type: 'long' }
  { name: 'Unproven', type: 'long' }
  { name: 'NotTested', type: 'long' }
  { name: 'RequiredBlocked', type: 'long' }
  { name: 'RequiredUntried', type: 'long' }
  { name: 'DurationMs', type: 'real' }
  { name: 'Findings', type: 'dynamic' }
  { name: 'FindingKinds', type: 'dynamic' }
  { name: 'Endpoint', type: 'string' }
  { name: 'Dependency', type: 'string' }
  { name: 'Need', type: 'string' }
  { name: 'FromVerdict', type: 'string' }
  { name: 'FromCause', type: 'string' }
  { name: 'ToVerdict', type: 'string' }
  { name: 'ToCause', type: 'string' }
  { name: 'LastedSeconds', type: 'long' }
  { name: 'Detail', type: 'string' }
  { name: 'Finding', type: 'string' }
  { name: 'FindingKind', type: 'string' }
  { name: 'FindingTitle', type: 'string' }
  { name: 'Confidence', type: 'string' }
  { name: 'Fix', type: 'string' }
  { name: 'Fault', type: 'string' }
]

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' existing = {
  name: workspaceName
}

resource table 'Microsoft.OperationalInsights/workspaces/tables@2023-09-01' = {
  parent: workspace
  name: tableName
  properties: {
    plan: 'Analytics'
    schema: {
      name: tableName
      // Computer is filled by the Azure Monitor Agent.
      columns: concat([{ name: 'TimeGenerated', type: 'dateTime' }, { name: 'Computer', type: 'string' }], columns)
    }
  }
}

resource endpoint 'Microsoft.Insights/dataCollectionEndpoints@2023-03-11' = {
  name: 'apim-probe'
  location: location
  kind: 'Linux'
  properties: {
    networkAcls: { publicNetworkAccess: 'Enabled' }
  }
}

resource rule 'Microsoft.Insights/dataCollectionRules@2023-03-11' = {
  name: 'apim-probe'
  location: location
  kind: 'Linux'
  properties: {
    dataCollectionEndpointId: endpoint.id
    streamDeclarations: {
      '${streamName}': {
        columns: concat(
          [{ name: 'TimeGenerated', type: 'datetime' }, { name: 'Computer', type: 'string' }],
          map(columns, column => { name: column.name, type: column.type })
        )
      }
    }
    dataSources: {
      logFiles: [
        {
          name: 'apim-probe'
          streams: [streamName]
          filePatterns: [filePattern]
          format: 'json'
        }
      ]
    }
    destinations: {
      logAnalytics: [
        {
          name: 'workspace'
          workspaceResourceId: workspace.id
        }
      ]
    }
    dataFlows: [
      {
        streams: [streamName]
        destinations: ['workspace']
        transformKql: 'source'
        outputStream: 'Custom-${tableName}'
      }
    ]
  }
  dependsOn: [table]
}

// Findings that started within the last 15 minutes, by agent, kind and need: the agent logged rounds before that, and none had
// them. Without earlier rounds, as in an agent's first minutes and after an hour without lines, nothing counts as new.
var newFindings = '''
let rounds = ApimProbe_CL | where Event == "round" and TimeGenerated > ago(75m);
let found = rounds
  | mv-expand Found = FindingKinds to typeof(string)
  | extend Kind = tostring(split(Found, "/")[0]), Need = tostring(split(Found, "/")[1])
  | where Need in ("required", "feature");
let ended = rounds | where TimeGenerated > ago(15m) | summarize TimeGenerated = max(TimeGenerated) by Computer;
let before = rounds | where TimeGenerated <= ago(15m);
let begun = found
  | join kind=inner ended on Computer, TimeGenerated
  | join kind=leftsemi before on Computer
  | join kind=leftanti (found | where TimeGenerated <= ago(15m)) on Computer, Kind, Need
  | project TimeGenerated, Computer, Kind, Need;
'''

// In order of precedence. They match the rules in deploy/prometheus.
var alerts = [
  {
    name: 'apim-probe-silent'
    description: 'An agent that wrote within the last day has written nothing for 15 minutes: the state of its subnet is not known.'
    severity: 1
    window: 'P1D'
    query: '''
ApimProbe_CL
| summarize Last = max(TimeGenerated) by Computer
| where Last < ago(15m)
'''
  }
  {
    // A round in which something required was not tested does not change the state: what was blocked stays blocked. The last
    // results of a silent agent are not current.
    name: 'apim-probe-required-blocked'
    description: 'Required endpoints are blocked: the instance there cannot be activated, or lacks required dependencies.'
    severity: 1
    window: 'PT6H'
    query: '''
let speaking = ApimProbe_CL | where TimeGenerated > ago(15m) | distinct Computer;
ApimProbe_CL
| where Event == "round" and (RequiredBlocked > 0 or RequiredUntried == 0)
| summarize arg_max(TimeGenerated, RequiredBlocked, Findings) by Computer
| where RequiredBlocked > 0 and Computer in (speaking)
'''
  }
  {
    name: 'apim-probe-untried'
    description: 'An agent has not tested all required endpoints for 15 minutes: their current state is not known.'
    severity: 2
    window: 'PT30M'
    query: '''
ApimProbe_CL
| where Event == "round" and TimeGenerated > ago(15m)
| summarize Rounds = count(), Untried = min(RequiredUntried) by Computer
| where Rounds > 1 and Untried > 0
'''
  }
  {
    name: 'apim-probe-shared-cause'
    description: 'At least three agents report the same new finding within 15 minutes: check what their subnets share.'
    severity: 1
    window: 'PT2H'
    query: concat(newFindings, '''
begun
| where Need == "required"
| summarize Agents = dcount(Computer), Computers = make_set(Computer, 100) by Kind, Need
| where Agents >= 3
''')
  }
  {
    name: 'apim-probe-new-finding'
    description: 'An agent reports a new finding. The lines with Event == "change" show what changed, and the fix.'
    severity: 2
    window: 'PT2H'
    query: concat(newFindings, '''
begun
''')
  }
  {
    name: 'apim-probe-fault'
    description: 'An agent itself has a problem.'
    severity: 3
    window: 'PT1H'
    query: '''
ApimProbe_CL
| where Event == "fault" and Fault in ("clock", "late-round", "log", "nothing-tried", "reload")
| summarize Times = count(), arg_max(TimeGenerated, Detail) by Computer, Fault
| where Times > 3 or Fault == "reload"
'''
  }
]

resource alert 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for item in alerts: {
    name: item.name
    location: location
    properties: {
      displayName: item.name
      description: item.description
      severity: item.severity
      enabled: true
      scopes: [workspace.id]
      evaluationFrequency: 'PT5M'
      windowSize: item.window
      criteria: {
        allOf: [
          {
            query: item.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      autoMitigate: true
      actions: { actionGroups: actions }
    }
    dependsOn: [table]
  }
]

@description('The rule to associate with each VM that has an agent.')
output dataCollectionRuleId string = rule.id
