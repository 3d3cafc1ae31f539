# Gets a program that is in no cache: from the release, or from source. Part of install.ps1.
#
# $env:WAVEOFF_RELEASE_URL   where the release's files are, instead of GitHub: the part before
#                            /v1.2.3/FILE. What comes from there needs the digests of MANIFEST, too.
# $env:WAVEOFF_DOWNLOAD_TIMEOUT   seconds for all attempts of a download together (120)

# Puts the program into the first cache that keeps it, and says where it is.
function Get-NewProgram([string[]] $Folders, [string] $Wanted, [string] $Key) {
    if ($Wanted -ne '') {
        $file = Get-Released $Wanted
    } else {
        $file = Get-Built $Key
    }
    foreach ($folder in $Folders) {
        if (Save-Program $folder $file $Wanted) { return [IO.Path]::Combine($folder, "$Name.exe") }
    }
    Fail 12 "there is no folder to keep $Name in: $trouble" `
        'set RUNNER_TOOL_CACHE to a folder on this machine from which programs can run, or WAVEOFF_BIN_DIR to one that holds them'
}

# Takes a program into a folder, if it can run there; whoever looks sees all of it or nothing.
function Save-Program([string] $Folder, [string] $File, [string] $Wanted) {
    $id = [Guid]::NewGuid().ToString('N')
    # It has to end like this to be started.
    $new = [IO.Path]::Combine($Folder, ".$Name.$id.exe")
    try {
        [void] [IO.Directory]::CreateDirectory($Folder)
        [IO.File]::Copy($File, $new)
        # For another kind of machine, or in a folder from which nothing is run.
        $global:LASTEXITCODE = 0
        [void] (& $new --version)
        if ($LASTEXITCODE -ne 0) { throw "it does not start on this machine: it ends with $LASTEXITCODE" }
        $hash = Get-Digest $new
        if ($Wanted -ne '' -and $hash -cne $Wanted) { throw "$Folder does not keep what is written to it" }
        [IO.File]::WriteAllText("$new.complete", "$hash`n")
        Move-Over $new ([IO.Path]::Combine($Folder, "$Name.exe"))
        Move-Over "$new.complete" ([IO.Path]::Combine($Folder, "$Name.exe.complete"))
        return $true
    } catch {
        # Somebody else was first, and runs it already.
        if (Test-Held $Folder $Wanted) { return $true }
        $script:trouble = "$_"
        return $false
    } finally {
        Remove-Item -LiteralPath $new, "$new.complete" -Force -ErrorAction SilentlyContinue
    }
}

# A file in place of another one, at once. What watches new programs may still have it open.
function Move-Over([string] $New, [string] $Old) {
    for ($attempt = 1; ; $attempt++) {
        try {
            if ([IO.File]::Exists($Old)) {
                [IO.File]::Replace($New, $Old, [NullString]::Value)
            } else {
                [IO.File]::Move($New, $Old)
            }
            return
        } catch {
            if ($attempt -ge 10) { throw }
            Start-Sleep -Milliseconds 200
        }
    }
}

function New-Scratch {
    $folder = $env:RUNNER_TEMP
    if (-not $folder) { $folder = [IO.Path]::GetTempPath() }
    $id = [Guid]::NewGuid().ToString('N')
    $script:scratch = [IO.Path]::Combine((Get-FullPath $folder), "waveoff.$id")
    [void] [IO.Directory]::CreateDirectory($scratch)
}

# The program of the release, in a file. Its archive is opened only after it was found to be what
# MANIFEST says.
function Get-Released([string] $Wanted) {
    $slug = [IO.File]::ReadAllText([IO.Path]::Combine($PSScriptRoot, 'REPOSITORY')).Trim()
    $base = $env:WAVEOFF_RELEASE_URL
    if (-not $base) { $base = "https://github.com/$slug/releases/download" }
    $archive = Find-Wanted "$platform/$Name.exe.gz"
    if ($archive -eq '') {
        Fail 12 "cannot unpack $Name ${version}: MANIFEST names no archive" "set WAVEOFF_BIN_DIR to a folder that holds $Name"
    }
    $part = "v$version/$Name-$platform.exe.gz"
    $url = $base.TrimEnd('/') + "/$part"
    # In messages, without a user's name and password.
    $at = $url -replace '://[^/]*@', '://'
    Say "downloads $at"
    [byte[]] $content = Get-Download $url $at $archive
    New-Scratch
    $file = [IO.Path]::Combine($scratch, "$Name.exe")
    $opened = [IO.Compression.GZipStream]::new([IO.MemoryStream]::new($content), [IO.Compression.CompressionMode]::Decompress)
    $out = [IO.File]::Create($file)
    try { $opened.CopyTo($out) } finally { $out.Dispose(); $opened.Dispose() }
    if ((Get-Digest $file) -cne $Wanted) {
        Fail 12 "cannot unpack $Name ${version}: what is in $at is not the program of MANIFEST" `
            "set WAVEOFF_BIN_DIR to a folder that holds $Name"
    }
    $file
}

# The bytes of a file. A release's file never changes, so that it is safe to ask for it again.
function Get-Download([string] $Url, [string] $At, [string] $Wanted) {
    $seconds = $env:WAVEOFF_DOWNLOAD_TIMEOUT
    if (-not $seconds) { $seconds = '120' }
    if ($seconds -cnotmatch '^[1-9][0-9]{0,5}\z') {
        Fail 2 "WAVEOFF_DOWNLOAD_TIMEOUT is not a number of seconds: $seconds" 'write it in digits'
    }
    $deadline = [DateTime]::UtcNow.AddSeconds([int] $seconds)
    $wrong = 0
    for ($pause = 1; ; $pause *= 2) {
        $left = ($deadline - [DateTime]::UtcNow).TotalSeconds
        if ($left -le 0) { break }
        $got = Get-Response $Url $left
        if ($null -ne $got.Content) {
            $hash = Get-StreamDigest ([IO.MemoryStream]::new($got.Content))
            if ($hash -ceq $Wanted) { return , $got.Content }
            $got.Trouble = "what came is not what was released: its sha256 is $hash, and not $Wanted"
            $wrong++
        }
        $script:trouble = $got.Trouble
        # A wrong file may once be a proxy's mishap.
        $left = ($deadline - [DateTime]::UtcNow).TotalSeconds
        if ($got.Gone -or $wrong -ge 2 -or $pause -gt 16 -or $left -le $pause) { break }
        Say "$trouble; tries again in ${pause}s"
        Start-Sleep -Seconds $pause
    }
    $hint = 'run the job again; without a way to that host, set https_proxy, WAVEOFF_RELEASE_URL to a mirror, or WAVEOFF_BIN_DIR to a folder that holds the programs'
    if ($got.Gone) {
        $hint = "use a released version of the action; where its files are mirrored, set WAVEOFF_RELEASE_URL to what stands before /v$version/"
    }
    Fail 12 "cannot download $Name $version from ${At}: $trouble" $hint
}

# One attempt: Content, or Trouble and whether that will never change. Nothing of the user's goes along.
# PowerShell 7 takes the proxy from the environment, 5.1 the system's.
function Get-Response([string] $Url, [double] $Left) {
    $got = @{ Content = $null; Trouble = ''; Gone = $false }
    Add-Type -AssemblyName System.Net.Http
    $handler = [Net.Http.HttpClientHandler]::new()
    if ($PSVersionTable.PSVersion.Major -lt 6) {
        [Net.ServicePointManager]::SecurityProtocol = 'Tls12'
    } elseif ([Environment]::OSVersion.Version.Build -ge 20348) {
        $handler.SslProtocols = 'Tls12, Tls13'
    } else {
        $handler.SslProtocols = 'Tls12'
    }
    $client = [Net.Http.HttpClient]::new($handler)
    # Half of what is left, so that a server that stalls is asked again.
    $limit = [Math]::Min($Left, [Math]::Max(15, $Left / 2))
    $client.Timeout = [TimeSpan]::FromSeconds($limit)
    $client.DefaultRequestHeaders.UserAgent.ParseAdd('waveoff')
    # No server fills the memory.
    $client.MaxResponseContentBufferSize = 32MB
    try {
        $response = $client.GetAsync($Url).GetAwaiter().GetResult()
        $status = [int] $response.StatusCode
        if ($Url.StartsWith('https:') -and $response.RequestMessage.RequestUri.Scheme -cne 'https') {
            $got.Trouble = 'it leads away from https'
        } elseif ($status -ne 200) {
            $got.Trouble = "the server answers $status"
            $got.Gone = @(401, 404, 410) -contains $status
        } else {
            $got.Content = $response.Content.ReadAsByteArrayAsync().GetAwaiter().GetResult()
        }
    } catch {
        # The innermost says what it was, but for a limit that was reached.
        for ($cause = $_.Exception; $null -ne $cause; $cause = $cause.InnerException) {
            $got.Trouble = $cause.Message
            if ($cause -is [OperationCanceledException]) {
                $got.Trouble = 'it did not come in time'
                break
            }
        }
    } finally {
        $client.Dispose()
    }
    $got
}

# The program, built with nothing of the caller's job but its cargo.
function Get-Built([string] $Key) {
    $why = "bootstrap/MANIFEST has no entry $platform/$Name.exe"
    $cargo = Get-Command cargo -CommandType Application -ErrorAction SilentlyContinue | Select-Object -First 1
    if ($null -eq $cargo -or -not [IO.File]::Exists([IO.Path]::Combine($root, 'Cargo.lock'))) {
        Fail 12 "cannot provide $Name ${version}: WAVEOFF_BIN_DIR is not set, $why, and there is no cargo to build it with" `
            "use a released version of the action, install Rust before this step, or set WAVEOFF_BIN_DIR to a folder that holds $Name"
    }
    Say "builds $Name from source, as $why; this takes some minutes, once"
    $folder = $env:RUNNER_TEMP
    if (-not $folder) { $folder = [IO.Path]::GetTempPath() }
    # By key, because other sources may build meanwhile; for one source, cargo lets one build wait
    # for the other.
    $output = [IO.Path]::Combine((Get-FullPath $folder), 'waveoff-build', $Key)
    $saved = @{}
    Push-Location -LiteralPath $root
    try {
        foreach ($variable in 'CARGO_BUILD_TARGET', 'CARGO_ENCODED_RUSTFLAGS', 'RUSTFLAGS', 'RUSTUP_TOOLCHAIN') {
            $saved[$variable] = [Environment]::GetEnvironmentVariable($variable)
            Remove-Item -LiteralPath "Env:$variable" -ErrorAction SilentlyContinue
        }
        # Its standard output would be taken for the answer.
        & $cargo.Source build --quiet --release --locked --bin $Name --target-dir $output |
            ForEach-Object { [Console]::Error.WriteLine("$_") }
        $ended = $LASTEXITCODE
    } finally {
        foreach ($variable in $saved.Keys) {
            if ($saved[$variable]) { Set-Item -LiteralPath "Env:$variable" -Value $saved[$variable] }
        }
        Pop-Location
    }
    if ($ended -ne 0) {
        Fail 12 "cannot build $Name from $root" `
            "see cargo's message above; use a released version, or set WAVEOFF_BIN_DIR to a folder that holds $Name"
    }
    [IO.Path]::Combine($output, 'release', "$Name.exe")
}
