; The installer for Windows, by NSIS: https://nsis.sourceforge.io/Docs/
;
; Plain NSIS. All that differs from product to product and from release to release comes from
; product.nsh, which `cargo xtask dist` writes beside it: names, versions, and the macros
; INSTALL_FILES and DELETE_FILES. docs/windows-installers.md lists them.
;
; Switches: /S silent, /P only a progress bar, /R start the app afterwards, /NS no shortcuts,
; /UPDATE as Tauri's updater says it, /ARGS what follows goes to the started app, /D=folder (last).
; Of the uninstaller: /S, /REMOVEDATA removes the user's data, too, /UPDATE leaves shortcuts and data.

Unicode true
!include "product.nsh"
Target ${STUB}
!include "MUI2.nsh"
!include "LogicLib.nsh"
!include "FileFunc.nsh"

Name "${NAME_SHOWN}"
OutFile "${OUT_FILE}"
BrandingText "${NAME_SHOWN} ${VERSION}"
SetCompressor /SOLID lzma
ManifestDPIAware true
ShowInstDetails nevershow
ShowUninstDetails nevershow

!define UNINSTALL_KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\${PRODUCT}"
!define DATA_LOCAL "$LOCALAPPDATA\${IDENTIFIER}"
!define DATA_ROAMING "$APPDATA\${IDENTIFIER}"

!if "${SCOPE}" == "machine"
  RequestExecutionLevel admin
  !define USUAL_FOLDER "$PROGRAMFILES64\${PRODUCT}"
!else
  RequestExecutionLevel user
  !define USUAL_FOLDER "$LOCALAPPDATA\${PRODUCT}"
!endif
; Stands for a folder that nobody chose with /D=. InstallDirRegKey would be read before SetRegView.
!define NO_FOLDER "none\${PRODUCT}"
InstallDir "${NO_FOLDER}"

VIProductVersion "${VERSION_NUMBERS}"
VIAddVersionKey "ProductName" "${PRODUCT}"
VIAddVersionKey "ProductVersion" "${VERSION}"
VIAddVersionKey "FileDescription" "${PRODUCT} Setup"
VIAddVersionKey "FileVersion" "${VERSION}"
VIAddVersionKey "CompanyName" "${PUBLISHER}"
VIAddVersionKey "LegalCopyright" "${COPYRIGHT}"

; The uninstaller exists only inside of the installer: it must be signed while that is made.
!ifdef SIGN
  !uninstfinalize '${SIGN}'
!endif

Var Passive
Var Update
Var Restart
Var NoShortcuts
Var RemoveData

!ifdef ICON
  !define MUI_ICON "${ICON}"
  !define MUI_UNICON "${ICON}"
!endif
!define MUI_ABORTWARNING

!define MUI_PAGE_CUSTOMFUNCTION_PRE SkipIfPassive
!insertmacro MUI_PAGE_WELCOME
!ifdef LICENSE
  !define MUI_PAGE_CUSTOMFUNCTION_PRE SkipIfPassive
  !insertmacro MUI_PAGE_LICENSE "${LICENSE}"
!endif
!define MUI_PAGE_CUSTOMFUNCTION_PRE SkipIfPassive
!insertmacro MUI_PAGE_DIRECTORY
!insertmacro MUI_PAGE_INSTFILES
!define MUI_FINISHPAGE_RUN
!define MUI_FINISHPAGE_RUN_FUNCTION StartApp
!define MUI_PAGE_CUSTOMFUNCTION_PRE SkipIfPassive
!insertmacro MUI_PAGE_FINISH
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"

!macro SCOPE_OF_SHELL
  SetRegView 64
  !if "${SCOPE}" == "machine"
    SetShellVarContext all
  !else
    SetShellVarContext current
  !endif
!macroend

; A program that runs cannot be replaced. What is asked of each is whether its file can be written, so that
; nothing is ended only because it has the name. Of those that are then ended Windows knows the name alone:
; a copy in another folder ends, too. $R2 is the first that cannot, or empty.
!macro IS_RUNNING path name
  ${If} $R2 == ""
  ${AndIf} ${FileExists} "${path}"
    ClearErrors
    FileOpen $R0 "${path}" a
    ${If} ${Errors}
      StrCpy $R2 "${name}"
    ${Else}
      FileClose $R0
    ${EndIf}
  ${EndIf}
!macroend

; The app is asked to end; what runs after five seconds is made to, sidecars that lost their host, too.
!macro CLOSE_APP un
Function ${un}CloseApp
  StrCpy $R1 0
  ${Do}
    StrCpy $R2 ""
    !insertmacro EACH_PROGRAM IS_RUNNING
    ${If} $R2 == ""
      Return
    ${EndIf}
    ${If} $R1 == 0
      ${IfNot} ${Silent}
      ${AndIf} $Passive != 1
        MessageBox MB_OKCANCEL|MB_ICONEXCLAMATION "${PRODUCT} is running. It will be closed." IDOK +2
        Abort
      ${EndIf}
      nsExec::Exec '"$SYSDIR\taskkill.exe" /IM "${MAIN}"'
      Pop $R0
    ${ElseIf} $R1 >= 30
      ; Nothing is half replaced: better the old version than a mixture.
      SetErrorLevel 5
      Abort "$R2 is running and cannot be closed"
    ${ElseIf} $R1 >= 10
      nsExec::Exec '"$SYSDIR\taskkill.exe" /F /T /IM "$R2"'
      Pop $R0
      ${If} $R0 != 0
        ; Wine's knows no /T, which ends what the program started, too.
        nsExec::Exec '"$SYSDIR\taskkill.exe" /F /IM "$R2"'
        Pop $R0
      ${EndIf}
    ${EndIf}
    IntOp $R1 $R1 + 1
    Sleep 500
  ${Loop}
FunctionEnd
!macroend
!insertmacro CLOSE_APP ""
!insertmacro CLOSE_APP "un."

; What WebView2 said of itself when it was installed; empty if it was not.
!macro FIND_WEBVIEW2 result
  ReadRegStr ${result} HKLM "SOFTWARE\WOW6432Node\Microsoft\EdgeUpdate\Clients\{F3017226-FE2A-4295-8BDF-00C3A9A7E4C5}" "pv"
  ${If} ${result} == ""
    ReadRegStr ${result} HKCU "SOFTWARE\Microsoft\EdgeUpdate\Clients\{F3017226-FE2A-4295-8BDF-00C3A9A7E4C5}" "pv"
  ${EndIf}
!macroend

Function SkipIfPassive
  ${If} $Passive == 1
    Abort
  ${EndIf}
FunctionEnd

Function .onInit
  !insertmacro SCOPE_OF_SHELL
  ${If} $INSTDIR == "${NO_FOLDER}"
    ReadRegStr $INSTDIR SHCTX "${UNINSTALL_KEY}" "InstallLocation"
    ${If} $INSTDIR == ""
      StrCpy $INSTDIR "${USUAL_FOLDER}"
    ${EndIf}
  ${EndIf}
  ${GetParameters} $R0
  ClearErrors
  ${GetOptions} $R0 "/P" $R1
  ${IfNot} ${Errors}
    StrCpy $Passive 1
    SetAutoClose true
  ${EndIf}
  ClearErrors
  ${GetOptions} $R0 "/UPDATE" $R1
  ${IfNot} ${Errors}
    StrCpy $Update 1
  ${EndIf}
  ClearErrors
  ${GetOptions} $R0 "/R" $R1
  ${IfNot} ${Errors}
    StrCpy $Restart 1
  ${EndIf}
  ClearErrors
  ${GetOptions} $R0 "/NS" $R1
  ${IfNot} ${Errors}
    StrCpy $NoShortcuts 1
  ${EndIf}
FunctionEnd

Section
  Call CloseApp

  ; What an older version installed and this one does not have goes: modules of two versions side by
  ; side are neither. It is told to leave the rest.
  ${If} ${FileExists} "$INSTDIR\uninstall.exe"
    ExecWait '"$INSTDIR\uninstall.exe" /S /UPDATE _?=$INSTDIR' $R0
    ${If} $R0 == 5
      SetErrorLevel 5
      Abort "The older version is running and cannot be closed"
    ${EndIf}
    Delete "$INSTDIR\uninstall.exe"
  ${EndIf}

  ClearErrors
  !insertmacro INSTALL_FILES
  ${If} ${Errors}
    SetErrorLevel 2
    Abort "Not all files could be written"
  ${EndIf}
  SetOutPath "$INSTDIR"
  WriteUninstaller "$INSTDIR\uninstall.exe"
  CreateDirectory "${DATA_LOCAL}"

  WriteRegStr SHCTX "${UNINSTALL_KEY}" "DisplayName" "${PRODUCT}"
  WriteRegStr SHCTX "${UNINSTALL_KEY}" "DisplayVersion" "${VERSION}"
  WriteRegStr SHCTX "${UNINSTALL_KEY}" "DisplayIcon" '"$INSTDIR\${MAIN}"'
  WriteRegStr SHCTX "${UNINSTALL_KEY}" "Publisher" "${PUBLISHER}"
  WriteRegStr SHCTX "${UNINSTALL_KEY}" "InstallLocation" "$INSTDIR"
  WriteRegStr SHCTX "${UNINSTALL_KEY}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr SHCTX "${UNINSTALL_KEY}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD SHCTX "${UNINSTALL_KEY}" "EstimatedSize" ${SIZE_KIB}
  WriteRegDWORD SHCTX "${UNINSTALL_KEY}" "NoModify" 1
  WriteRegDWORD SHCTX "${UNINSTALL_KEY}" "NoRepair" 1

  ; An update changes no shortcuts: who removed one does not want it.
  ${If} $Update != 1
  ${AndIf} $NoShortcuts != 1
    !ifdef START_MENU
      CreateShortcut "$SMPROGRAMS\${PRODUCT}.lnk" "$INSTDIR\${MAIN}"
    !endif
    !ifdef DESKTOP
      CreateShortcut "$DESKTOP\${PRODUCT}.lnk" "$INSTDIR\${MAIN}"
    !endif
  ${EndIf}

  !insertmacro FIND_WEBVIEW2 $R0
  ${If} $R0 == ""
    !ifdef WEBVIEW2
      ; A folder of this run alone: in $TEMP somebody without the administrator's rights could exchange it.
      InitPluginsDir
      File "/oname=$PLUGINSDIR\MicrosoftEdgeWebview2Setup.exe" "${WEBVIEW2}"
      ExecWait '"$PLUGINSDIR\MicrosoftEdgeWebview2Setup.exe" /silent /install'
    !else
      DetailPrint "WebView2 is missing: https://go.microsoft.com/fwlink/p/?LinkId=2124703"
      ${IfNot} ${Silent}
      ${AndIf} $Passive != 1
        MessageBox MB_YESNO|MB_ICONINFORMATION "${PRODUCT} needs Microsoft's WebView2, which is not installed. Open its download page?" IDNO +2
        ExecShell "open" "https://go.microsoft.com/fwlink/p/?LinkId=2124703"
      ${EndIf}
    !endif
  ${EndIf}
SectionEnd

Function StartApp
  ${GetParameters} $R0
  ClearErrors
  ${GetOptions} $R0 "/ARGS" $R1
  ${If} ${Errors}
    StrCpy $R1 ""
  ${EndIf}
  Exec '"$INSTDIR\${MAIN}" $R1'
FunctionEnd

Function .onInstSuccess
  ${If} $Restart == 1
    ${If} ${Silent}
    ${OrIf} $Passive == 1
      Call StartApp
    ${EndIf}
  ${EndIf}
FunctionEnd

Function un.onInit
  !insertmacro SCOPE_OF_SHELL
  ${GetParameters} $R0
  ClearErrors
  ${GetOptions} $R0 "/UPDATE" $R1
  ${IfNot} ${Errors}
    StrCpy $Update 1
  ${EndIf}
  !if "${USER_DATA}" == "remove"
    StrCpy $RemoveData 1
  !endif
  ClearErrors
  ${GetOptions} $R0 "/REMOVEDATA" $R1
  ${IfNot} ${Errors}
    StrCpy $RemoveData 1
  ${EndIf}
FunctionEnd

Section Uninstall
  Call un.CloseApp
  ; Only what was installed, by name: the folder may be one that holds other things.
  !insertmacro DELETE_FILES
  Delete "$INSTDIR\uninstall.exe"
  SetOutPath "$TEMP"
  RMDir "$INSTDIR"

  ${If} $Update != 1
    Delete "$SMPROGRAMS\${PRODUCT}.lnk"
    Delete "$DESKTOP\${PRODUCT}.lnk"
    DeleteRegKey SHCTX "${UNINSTALL_KEY}"
    !if "${USER_DATA}" == "ask"
      ${IfNot} ${Silent}
      ${AndIf} $RemoveData != 1
        MessageBox MB_YESNO|MB_DEFBUTTON2|MB_ICONQUESTION "Remove your settings and data of ${PRODUCT}, too?" IDNO +2
        StrCpy $RemoveData 1
      ${EndIf}
    !endif
    ; They belong to a user, also if the app belongs to all.
    SetShellVarContext current
    ${If} $RemoveData == 1
      RMDir /r "${DATA_LOCAL}"
      RMDir /r "${DATA_ROAMING}"
    ${Else}
      ; Empty ones are nobody's data.
      RMDir "${DATA_LOCAL}"
    ${EndIf}
  ${EndIf}
SectionEnd
