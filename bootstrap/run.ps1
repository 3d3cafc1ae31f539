# run.ps1 NAME [ARGUMENT...]: runs the program NAME of this checkout, and ends as it does.
#
# Inputs of an action reach the program in the environment (WAVEOFF_INPUTS) and never as words of a
# command: Windows PowerShell 5.1 does not keep quotes in arguments.
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
# A program's exit code is handed on, and is no exception.
$PSNativeCommandUseErrorActionPreference = $false
$name = @($args | Select-Object -First 1)
$rest = @($args | Select-Object -Skip 1)
$global:LASTEXITCODE = 0
$program = & ([IO.Path]::Combine($PSScriptRoot, 'install.ps1')) @name
if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
& $program @rest
exit $LASTEXITCODE
