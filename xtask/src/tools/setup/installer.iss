; The installer for Windows, by Inno Setup 6.3 or newer: https://jrsoftware.org/ishelp/
;
; Plain Inno Setup. All that differs from product to product and from release to release comes from
; product.iss, which `cargo xtask dist` writes beside it: names, versions, and the list of files.
; docs/windows-installers.md lists them.
;
; Switches: /VERYSILENT /SUPPRESSMSGBOXES /NORESTART, /DIR="folder", /CURRENTUSER, /ALLUSERS, /TASKS="".
; Of the uninstaller besides: /REMOVEDATA removes the user's data, too.

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
; A program that runs is asked to end, also in a silent update.
CloseApplications=yes
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

[InstallDelete]
; What an older version installed there and this one does not have goes: modules of two versions side
; by side are neither.
#ifdef SidecarFolders
Type: filesandordirs; Name: "{app}\{#SidecarFolders}"
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

// What {autopf} is, without asking Windows for the user's own folder, of which Wine knows nothing.
function Programs(Param: String): String;
begin
  if IsAdminInstallMode then
    Result := ExpandConstant('{commonpf}')
  else
    Result := ExpandConstant('{localappdata}\Programs');
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

function WantsDataRemoved: Boolean;
var
  Number: Integer;
begin
  Result := '{#UserData}' = 'remove';
  for Number := 1 to ParamCount do
    if CompareText(ParamStr(Number), '/REMOVEDATA') = 0 then
      Result := True;
  if not Result and ('{#UserData}' = 'ask') and not UninstallSilent then
    Result := MsgBox('Remove your settings and data of {#ProductText}, too?',
      mbConfirmation, MB_YESNO or MB_DEFBUTTON2) = IDYES;
end;

procedure CurUninstallStepChanged(CurUninstallStep: TUninstallStep);
begin
  if CurUninstallStep = usPostUninstall then
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
