; The installer for Windows, by Inno Setup 6.3 or newer: https://jrsoftware.org/ishelp/
;
; Plain Inno Setup. All that differs from product to product and from release to release comes from
; product.iss, which `cargo xtask dist` writes beside it: names, versions, and the list of files.
; docs/windows-installers.md lists them.
;
; Switches: /VERYSILENT /SUPPRESSMSGBOXES /NORESTART, /DIR="folder", /CURRENTUSER, /ALLUSERS, /TASKS="".
; Of the uninstaller besides: /REMOVEDATA removes the user's data, too, /UPDATE leaves them.

#include "product.iss"

[Setup]
AppId={#AppId}
AppName={#Product}
AppVersion={#Version}
AppVerName={#Product} {#Version}
AppPublisher={#Publisher}
AppCopyright={#Copyright}
VersionInfoVersion={#VersionNumbers}
#if Scope == "machine"
PrivilegesRequired=admin
#else
PrivilegesRequired=lowest
#endif
PrivilegesRequiredOverridesAllowed=commandline
DefaultDirName={code:Programs}\{#Product}
DisableProgramGroupPage=yes
ArchitecturesAllowed={#Architectures}
ArchitecturesInstallIn64BitMode={#Architectures}
OutputDir=.
OutputBaseFilename={#OutFile}
; What was packed, by hashes: it is compared with what was built.
OutputManifestFile=packed.txt
Compression=lzma2
SolidCompression=yes
TimeStampsInUTC=yes
WizardStyle=modern
UninstallDisplayIcon={app}\{#Main}
UninstallDisplayName={#Product}
; The code below closes them, as the uninstaller's does.
CloseApplications=no
RestartApplications=no
#ifdef Icon
SetupIconFile={#Icon}
#endif
#ifdef License
LicenseFile={#License}
#endif
#ifdef Signed
; The uninstaller is written to this folder, signed there, and found again.
SignedUninstaller=yes
SignedUninstallerDir=uninstaller
#endif

[Languages]
Name: "english"; MessagesFile: "compiler:Default.isl"

[Tasks]
#ifdef Desktop
Name: "desktop"; Description: "{cm:CreateDesktopIcon}"
#else
Name: "desktop"; Description: "{cm:CreateDesktopIcon}"; Flags: unchecked
#endif

[UninstallDelete]
; Also if it was there before, when nothing of anybody's is in it.
Type: dirifempty; Name: "{app}"

[Dirs]
Name: "{localappdata}\{#Identifier}"; Flags: uninsneveruninstall

[Icons]
#ifdef StartMenu
Name: "{autoprograms}\{#Product}"; Filename: "{app}\{#Main}"
#endif
Name: "{autodesktop}\{#Product}"; Filename: "{app}\{#Main}"; Tasks: desktop

[Run]
#ifdef WebView2
Filename: "{tmp}\MicrosoftEdgeWebview2Setup.exe"; Parameters: "/silent /install"; Check: NeedsWebView2
#endif
Filename: "{app}\{#Main}"; Description: "{cm:LaunchProgram,{#StringChange(Product, '&', '&&')}}"; Flags: nowait postinstall skipifsilent

#ifdef WebView2
[Files]
Source: "{#WebView2}"; DestDir: "{tmp}"; DestName: "MicrosoftEdgeWebview2Setup.exe"; Flags: deleteafterinstall; Check: NeedsWebView2
#endif

[Code]
const
  WebView2Key = 'Microsoft\EdgeUpdate\Clients\{F3017226-FE2A-4295-8BDF-00C3A9A7E4C5}';

var
  ProgramPaths: String;

// What {autopf} is, without asking Windows for the user's own folder, of which Wine knows nothing.
function Programs(Param: String): String;
begin
  if IsAdminInstallMode then
    Result := ExpandConstant('{commonpf}')
  else
    Result := ExpandConstant('{localappdata}\Programs');
end;

function IsRunning(Path: String): Boolean;
begin
  // Nothing is added; nothing stays open, as of a stream.
  Result := FileExists(Path) and not SaveStringToFile(Path, '', True);
end;

// The first program of the app that runs, by whether its file can be written: so nothing is ended only
// because it has the name. Of those that are then ended Windows knows the name alone: a copy in another
// folder ends, too. Empty if none runs.
function Running: String;
var
  Paths: TStringList;
  Number: Integer;
begin
  Result := '';
  Paths := TStringList.Create;
  StringChangeEx(ProgramPaths, '|', #13#10, True);
  Paths.Text := ProgramPaths;
  for Number := 0 to Paths.Count - 1 do
    if (Result = '') and IsRunning(ExpandConstant('{app}\') + Paths[Number]) then
      Result := ExtractFileName(Paths[Number]);
  Paths.Free;
end;

procedure Kill(Switches, Name: String);
var
  Code: Integer;
begin
  // Wine's knows no /T, which ends what the program started, too.
  if not Exec(ExpandConstant('{sys}\taskkill.exe'), Switches + ' /T /IM "' + Name + '"', '', SW_HIDE, ewWaitUntilTerminated, Code) or (Code <> 0) then
    Exec(ExpandConstant('{sys}\taskkill.exe'), Switches + ' /IM "' + Name + '"', '', SW_HIDE, ewWaitUntilTerminated, Code);
end;

// The app is asked to end; what runs after five seconds is made to, sidecars that lost their host, too.
// What still runs then, or empty.
function CloseApp: String;
var
  Number: Integer;
begin
  ProgramPaths := '{#Programs}';
  for Number := 0 to 30 do
  begin
    Result := Running;
    if Result = '' then
      Exit;
    if Number = 0 then
      Kill('', '{#StringChange(Main, "'", "''")}')
    else if Number >= 10 then
      Kill('/F', Result);
    Sleep(500);
  end;
end;

// What an older version installed goes, by its own uninstaller: modules of two versions side by side are
// neither. It is told to leave data.
procedure RemoveOlder;
var
  Key, Command: String;
  Code, Number: Integer;
begin
  Key := 'Software\Microsoft\Windows\CurrentVersion\Uninstall\{#StringChange(AppId, "{{", "{")}_is1';
  if not RegQueryStringValue(HKA, Key, 'UninstallString', Command) then
    Exit;
  Command := RemoveQuotes(Command);
  if FileExists(Command) and (CompareText(RemoveBackslashUnlessRoot(ExtractFilePath(Command)), ExpandConstant('{app}')) = 0) then
  begin
    Exec(Command, '/VERYSILENT /SUPPRESSMSGBOXES /NORESTART /UPDATE', '', SW_HIDE, ewWaitUntilTerminated, Code);
    // It goes on in a copy of itself, which removes it last: on a slow machine the newer one, if that is
    // there by then.
    for Number := 1 to 240 do
      if FileExists(Command) then
        Sleep(250);
  end;
end;

// Nothing is half replaced: better the old version than a mixture.
function PrepareToInstall(var NeedsRestart: Boolean): String;
begin
  Result := CloseApp;
  if Result <> '' then
    Result := Result + ' is running and cannot be closed'
  else
    RemoveOlder;
end;

function InitializeUninstall: Boolean;
var
  Name: String;
begin
  Name := CloseApp;
  Result := Name = '';
  if not Result then
    SuppressibleMsgBox(Name + ' is running and cannot be closed', mbError, MB_OK, IDOK);
end;

function NeedsWebView2: Boolean;
var
  Found: String;
begin
  Result := not RegQueryStringValue(HKLM32, 'SOFTWARE\' + WebView2Key, 'pv', Found)
    and not RegQueryStringValue(HKCU, 'SOFTWARE\' + WebView2Key, 'pv', Found);
end;

#ifndef WebView2
procedure CurStepChanged(CurStep: TSetupStep);
var
  Code: Integer;
begin
  if (CurStep = ssPostInstall) and NeedsWebView2 and not WizardSilent then
    if MsgBox('{#ProductText} needs Microsoft''s WebView2, which is not installed. Open its download page?',
      mbInformation, MB_YESNO) = IDYES then
      ShellExec('open', 'https://go.microsoft.com/fwlink/p/?LinkId=2124703', '', '', SW_SHOW, ewNoWait, Code);
end;
#endif

function HasSwitch(Switch: String): Boolean;
var
  Number: Integer;
begin
  Result := False;
  for Number := 1 to ParamCount do
    if CompareText(ParamStr(Number), Switch) = 0 then
      Result := True;
end;

function WantsDataRemoved: Boolean;
begin
  Result := ('{#UserData}' = 'remove') or HasSwitch('/REMOVEDATA');
  if not Result and ('{#UserData}' = 'ask') and not UninstallSilent then
    Result := MsgBox('Remove your settings and data of {#ProductText}, too?',
      mbConfirmation, MB_YESNO or MB_DEFBUTTON2) = IDYES;
end;

procedure CurUninstallStepChanged(CurUninstallStep: TUninstallStep);
begin
  if (CurUninstallStep = usPostUninstall) and not HasSwitch('/UPDATE') then
  begin
    if WantsDataRemoved then
    begin
      DelTree(ExpandConstant('{localappdata}\{#Identifier}'), True, True, True);
      DelTree(ExpandConstant('{userappdata}\{#Identifier}'), True, True, True);
    end
    else
      // An empty one is nobody's data.
      RemoveDir(ExpandConstant('{localappdata}\{#Identifier}'));
  end;
end;
