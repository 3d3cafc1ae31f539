# Puts a program of this checkout on disk, verified, and prints where it is: install.sh for Windows.
#
#   install.ps1 NAME
#
# Windows PowerShell 5.1 and PowerShell 7. What is found is never used without its check:
#   1. $env:WAVEOFF_BIN_DIR, when it is set: nothing else is tried. Hashed when MANIFEST knows it.
#   2. the tool cache: only with its completion marker, and hashed again on every use.
#   3. the release, when MANIFEST has the program: without a token, by the digests in MANIFEST.
#   4. else this checkout's own source, by `cargo build --locked`.
# 3 and 4 are in obtain.ps1. ASCII only: 5.1 reads a file without a mark as the system's code page.
param([string] $Name = '')
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
# A program's exit code is looked at, and is no exception.
$PSNativeCommandUseErrorActionPreference = $false
$programs = 'wait-healthy', 'smoke-test', 'evaluate-rollback', 'notify-incident'
# Windows on arm64 runs it, too.
$platform = 'x86_64-pc-windows-msvc'
$root = [IO.Path]::GetFullPath([IO.Path]::Combine($PSScriptRoot, '..'))
$from = (Get-Location -PSProvider FileSystem).ProviderPath
$failure = $null
$trouble = ''
$scratch = ''

function Say([string] $Text) {
    [Console]::Error.WriteLine("waveoff bootstrap: $Text")
}

# Ends everything; the one `catch` at the end says it.
function Fail([int] $Code, [string] $Message, [string] $Hint) {
    $script:failure = @{ Code = $Code; Message = $Message; Hint = $Hint }
    throw $Message
}

# A workflow command is one line, and % is its escape character.
function Format-Command([string] $Text) {
    $Text.Replace('%', '%25').Replace("`r", '%0D').Replace("`n", '%0A')
}

function Get-FullPath([string] $Path) {
    [IO.Path]::GetFullPath([IO.Path]::Combine($from, $Path))
}

# The sha256 of what is left of a stream, in lower-case hexadecimal.
function Get-StreamDigest([IO.Stream] $Stream) {
    $sha = [Security.Cryptography.SHA256]::Create()
    try {
        [BitConverter]::ToString($sha.ComputeHash($Stream)).Replace('-', '').ToLowerInvariant()
    } finally {
        $sha.Dispose()
    }
}

function Get-Digest([string] $File) {
    $stream = [IO.File]::OpenRead($File)
    try { Get-StreamDigest $stream } finally { $stream.Dispose() }
}

# What MANIFEST says about a file; nothing when it does not know it.
function Find-Wanted([string] $Entry) {
    foreach ($line in [IO.File]::ReadAllLines([IO.Path]::Combine($PSScriptRoot, 'MANIFEST'))) {
        $words = @($line.Trim() -split '\s+')
        if ($words.Count -ge 2 -and -not $words[0].StartsWith('#') -and $words[1] -ceq $Entry) {
            return $words[0].ToLowerInvariant()
        }
    }
    return ''
}

# Whether a folder has a whole and unchanged program.
# What was built here has no digest but the one in its marker: Wanted is empty.
function Test-Held([string] $Folder, [string] $Wanted) {
    $file = [IO.Path]::Combine($Folder, "$Name.exe")
    if (-not [IO.File]::Exists($file) -or -not [IO.File]::Exists("$file.complete")) { return $false }
    $marked = [IO.File]::ReadAllText("$file.complete").Trim()
    $hash = Get-Digest $file
    if ($hash -ceq $marked -and ($Wanted -eq '' -or $hash -ceq $Wanted)) { return $true }
    Say "$file is not what was put there: it is not used"
    return $false
}

# Each folder that may hold programs.
function Get-Caches([string] $Place) {
    foreach ($cache in $env:RUNNER_TOOL_CACHE, $env:RUNNER_TEMP, $env:LOCALAPPDATA) {
        if ($cache) { [IO.Path]::Combine((Get-FullPath $cache), 'waveoff', $Place) }
    }
}

# A checkout that is an archive has no git to ask: what identifies it is what it is built from.
function Get-SourceHash {
    $lines = New-Object 'System.Collections.Generic.List[string]'
    foreach ($part in 'Cargo.toml', 'Cargo.lock', 'rust-toolchain.toml', 'build.rs', '.cargo', 'src', 'schemas') {
        $path = [IO.Path]::Combine($root, $part)
        $files = @()
        if ([IO.File]::Exists($path)) { $files = @($path) }
        if ([IO.Directory]::Exists($path)) { $files = [IO.Directory]::GetFiles($path, '*', 'AllDirectories') }
        foreach ($file in $files) {
            $hash = Get-Digest $file
            $relative = $file.Substring($root.Length)
            $lines.Add("$hash  $relative")
        }
    }
    $lines.Sort([StringComparer]::Ordinal)
    $all = [Text.Encoding]::UTF8.GetBytes([string]::Join("`n", $lines.ToArray()))
    (Get-StreamDigest ([IO.MemoryStream]::new($all))).Substring(0, 16)
}

# One folder may also hold the programs of several platforms, as the release's archives do.
function Get-Override {
    $folder = Get-FullPath $env:WAVEOFF_BIN_DIR
    if (-not [IO.Directory]::Exists($folder)) {
        Fail 2 "WAVEOFF_BIN_DIR is not a folder: $folder" 'set it to the folder that holds the programs, or unset it'
    }
    $file = [IO.Path]::Combine($folder, "$Name.exe")
    if (-not [IO.File]::Exists($file)) { $file = [IO.Path]::Combine($folder, $platform, "$Name.exe") }
    if (-not [IO.File]::Exists($file)) {
        Fail 2 "WAVEOFF_BIN_DIR holds no program $Name.exe: $folder" 'put it there, or unset WAVEOFF_BIN_DIR'
    }
    $wanted = Find-Wanted "$platform/$Name.exe"
    if ($wanted -ne '') {
        $hash = Get-Digest $file
        if ($hash -cne $wanted) {
            Fail 12 "$file is not the program of version ${version}: its sha256 is $hash, and not $wanted" `
                'put the program of this version there'
        }
    }
    $file
}

# Sees to it that the program is on disk, and says where.
function Get-Program {
    if ($Name -ceq 'waveoff') {
        Fail 2 'waveoff has no program for Windows' 'run this job on ubuntu-latest, or in WSL'
    }
    if ($programs -cnotcontains $Name) {
        $all = [string]::Join(', ', $programs)
        Fail 2 "there is no program ""$Name""" "the programs are $all"
    }
    if ($env:WAVEOFF_BIN_DIR) { return Get-Override }
    $wanted = Find-Wanted "$platform/$Name.exe"
    $key = $version
    if ($wanted -eq '') {
        $source = Get-SourceHash
        $key = "$version-$source"
    }
    $folders = @(Get-Caches ([IO.Path]::Combine($key, $platform)))
    foreach ($folder in $folders) {
        if (Test-Held $folder $wanted) { return [IO.Path]::Combine($folder, "$Name.exe") }
    }
    Get-NewProgram $folders $wanted $key
}

$code = 0
try {
    . ([IO.Path]::Combine($PSScriptRoot, 'obtain.ps1'))
    $version = [IO.File]::ReadAllText([IO.Path]::Combine($PSScriptRoot, 'VERSION')).Trim()
    Get-Program
} catch {
    # What nobody thought of is an error like the others.
    if ($null -eq $failure) {
        $failure = @{
            Code = 12; Message = "cannot provide ${Name}: $_"
            Hint = 'see the message, or set WAVEOFF_BIN_DIR to a folder that holds the program'
        }
    }
    $code = $failure.Code
    Say $failure.Message
    [Console]::Error.WriteLine('  hint: ' + $failure.Hint)
    if ($env:GITHUB_ACTIONS -ceq 'true') {
        $line = Format-Command ($failure.Message + '. ' + $failure.Hint)
        [Console]::Error.WriteLine("::error title=waveoff::$line")
    }
} finally {
    # Whoever is ended takes along what it left half done.
    if ($scratch -ne '') { Remove-Item -LiteralPath $scratch -Recurse -Force -ErrorAction SilentlyContinue }
}
exit $code
